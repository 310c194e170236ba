import { File } from 'node:buffer';
import { drive } from './driver.mjs';

// undici 7 asks for Node 20 for the sake of these two. Debian 12 has Node 18; all URLs of the matrix are well-formed.
globalThis.File ??= File;
String.prototype.toWellFormed ??= String.prototype.toString;
const { EventSource } = await import('undici');

await drive(EventSource);
