// Types of /sse-bridge.js, the module that sse-bridge serves for pages of other people.

/** A line, or an event of a type of yours. */
export interface Line {
  /** TIME-NUMBER/CHANNEL: with it as `lastEventId` a stream goes on behind this line. */
  id: string;
  /** When it arrived, in Unix milliseconds. */
  time: number;
  /** Grows with every event of the daemon. */
  number: number;
  channel: string;
  /** `message`, or what `--event-type` says. */
  type: string;
  data: string;
}

/** Events that should have come, and can no longer be got. */
export interface Gap {
  channels?: string[];
  /** `restart`, `dropped`, `slow`, `truncated`, `overwritten`, `vanished`, `crash`, `rate-limit`, `upstream`, ... */
  reason: string;
  from?: string | null;
  to?: string | null;
  /** How many; null where nobody can know. */
  lost: number | null;
}

/** The source of a channel has ended for good. */
export interface End {
  channel: string;
  reason: string;
  exit?: number | null;
}

/** One run of a command began or ended. */
export interface Run {
  channel: string;
  run: number;
  state: 'started' | 'exited';
  exit?: number | null;
}

/** The newest state of a line that is being overwritten. */
export interface Progress {
  channel: string;
  text: string;
}

/** What there is, where nothing is to be sent yet. */
export interface Start {
  channels: string[];
  newest: string | null;
}

export interface State {
  name: 'connecting' | 'catching up' | 'live' | 'reconnecting' | 'busy' | 'refused' | 'ended';
  /** Why, in words. */
  reason?: string;
  /** When it is tried again, in Unix milliseconds. */
  at?: number;
}

export interface Handlers {
  line?(line: Line): void;
  gap?(gap: Gap, id: string): void;
  end?(end: End, id: string): void;
  run?(run: Run, id: string): void;
  start?(start: Start, id: string): void;
  progress?(progress: Progress): void;
  /** The daemon is there, though it has nothing to say. */
  ping?(): void;
  state?(state: State): void;
}

export interface Options {
  /** Whether all tabs that ask for the same URL share one connection; true unless said otherwise. */
  share?: boolean;
}

export interface Stream {
  readonly state: State;
  /** The place behind which it goes on: `TIME-NUMBER`, '' at first. */
  readonly lastId: string;
  /** How the connection is shared. */
  readonly sharing: 'worker' | 'lock' | 'alone' | undefined;
  close(): void;
}

/**
 * Follows a stream of sse-bridge for good: every event once, in order, whatever happens to connections; what is missing is told.
 *
 * The URL may ask for a beginning (`?tail=100`, `?since=10m`, `?lastEventId=ID`) and for channels (`/events/web`, `?channel=a&channel=b`).
 */
export function connect(url: string | URL, handlers?: Handlers, options?: Options): Stream;

/** `<sse-log src="URL" times channels max-lines="1000">`: the lines of a stream as an element. */
export class SseLog extends HTMLElement {
  readonly stream: Stream | null;
  addEventListener<K extends keyof SseLogEvents>(type: K, listener: (event: SseLogEvents[K]) => void, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
}

/** The events of the element; their `detail` is what the handlers of connect() are given. */
export interface SseLogEvents {
  line: CustomEvent<Line>;
  gap: CustomEvent<Gap & { id: string }>;
  end: CustomEvent<End & { id: string }>;
  progress: CustomEvent<Progress>;
  state: CustomEvent<State>;
}

declare global {
  interface HTMLElementTagNameMap {
    'sse-log': SseLog;
  }
}
