import type { Io } from '../io.ts';

const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';
const eraseBelow = '\x1b[0J';

/** A block of lines at the end of the terminal that is drawn again and again in place. */
export class Screen {
  readonly #stream: Io['stdout'];
  #drawn = 0;

  constructor(stream: Io['stdout']) {
    this.#stream = stream;
    stream.write(hideCursor);
  }

  get width(): number {
    return Math.min(this.#stream.columns ?? 80, 120);
  }

  /** Replaces what was drawn before. What is higher than the terminal loses its upper lines, which could not be replaced. */
  draw(lines: string[]): void {
    const fit = lines.slice(-Math.max(1, (this.#stream.rows ?? 24) - 1));
    this.#stream.write(`${this.#toTop()}${fit.map((line) => `${line}\n`).join('')}`);
    this.#drawn = fit.length;
  }

  /** Leaves the last picture where it is and gives the cursor back. */
  end(): void {
    this.#stream.write(showCursor);
  }

  #toTop(): string {
    return `${this.#drawn > 0 ? `\x1b[${this.#drawn}A` : ''}\r${eraseBelow}`;
  }
}
