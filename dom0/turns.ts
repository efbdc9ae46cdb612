/** Lets so many do something at a time; others wait for their turn. */
export class Turns {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  async take<Result>(act: () => Promise<Result>): Promise<Result> {
    while (this.#taken >= this.#most) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#taken += 1;
    try {
      return await act();
    } finally {
      this.#taken -= 1;
      this.#waiting.shift()?.();
    }
  }
}
