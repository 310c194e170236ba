// A small generator of repeatable numbers (xorshift32); its seed comes from SSE_BRIDGE_TEST_SEED, or the clock, and is printed.
export const seed = Number(process.env.SSE_BRIDGE_TEST_SEED ?? Date.now()) >>> 0 || 1;

export class Random {
  #state = seed;

  below(n) {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state % n;
  }

  pick(list) {
    return list[this.below(list.length)];
  }
}

console.log(`seed ${seed}; SSE_BRIDGE_TEST_SEED=${seed} repeats it`);
