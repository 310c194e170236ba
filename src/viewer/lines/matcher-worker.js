// Runs one regular expression over lines, where it may take as long as it likes: whoever waits ends this worker (matcher.js).
import { rangesOf } from './matcher.js';

let expression;

self.onmessage = ({ data }) => {
  if (data.expression !== undefined) {
    expression = new RegExp(data.expression, data.flags);
    self.postMessage({ isReady: true });
    return;
  }
  const { number, texts, where } = data;
  const test = (text) => {
    expression.lastIndex = 0;
    return expression.test(text) ? 1 : 0;
  };
  const found = where ? texts.map((text) => rangesOf(expression, text)) : Uint8Array.from(texts, test);
  self.postMessage({ number, found });
};
