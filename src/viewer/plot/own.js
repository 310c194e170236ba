// A copy of a text that does not hold on to what it was cut from: engines keep the whole chunk alive for a few letters of it.

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export const own = (text) => decoder.decode(encoder.encode(text));
