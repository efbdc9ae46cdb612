/** Chunks that are sent as they are after some that did not shrink. */
const skippedChunks = 16;
const samples = 4;
/** What does not shrink by a tenth is not worth its processor time. */
const leastShrink = 0.9;

/** Whether the next chunk is worth a try, from how the last ones shrank: images have long stretches that never do. */
export class CompressChoice {
  readonly #ratios: number[] = [];
  #skips = 0;

  wants(): boolean {
    if (this.#skips === 0) return true;
    this.#skips -= 1;
    return false;
  }

  note(plainBytes: number, bodyBytes: number): void {
    this.#ratios.push(bodyBytes / plainBytes);
    if (this.#ratios.length > samples) this.#ratios.shift();
    if (this.#ratios.length === samples && this.#ratios.every((ratio) => ratio > leastShrink)) {
      this.#skips = skippedChunks;
      // After the pause one chunk is tried again, not four.
      this.#ratios.shift();
    }
  }
}
