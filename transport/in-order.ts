/** Runs one act after the other, in the order in which they were asked for; one that fails does not hold the next one up. */
export class InOrder {
  #last: Promise<unknown> = Promise.resolve();

  run<Result>(act: () => Promise<Result>): Promise<Result> {
    const mine = this.#last.then(act);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
