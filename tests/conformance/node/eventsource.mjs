import { EventSource } from 'eventsource';
import { drive } from './driver.mjs';

await drive(EventSource);
