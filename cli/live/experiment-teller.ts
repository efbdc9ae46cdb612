import type { Forecast, Plan, Point, Told } from '../../bench/experiment/index.ts';
import type { Cli } from '../cli.ts';
import { clean, formatClock, formatMs } from '../format.ts';
import { bar, paint } from './paint.ts';
import type { Piece } from './paint.ts';
import { Screen } from './screen.ts';

/** Tells how an experiment goes on: drawn in place on a terminal, else in lines with a time, or as events. */
export interface ExperimentTeller {
  begin: (todo: Point[]) => void;
  tell: (what: Told) => void;
  /** Leaves the last picture; may be called twice. */
  end: () => void;
}

const frameMs = 500;
const lastShown = 6;

export function makeExperimentTeller(cli: Cli, plan: Plan, forecastOf: (todo: Point[]) => Forecast): ExperimentTeller {
  const state = new State(plan, forecastOf);
  if (cli.json) {
    const begin = (todo: Point[]): void => cli.event({ event: 'begin', plan: plan.name, points: todo.length });
    return { begin, tell: (what) => cli.event(what), end: () => undefined };
  }
  if (cli.io.stdout.isTTY !== true || cli.io.env.TERM === 'dumb') {
    const say = (text: string): void => cli.lines([`${formatClock(Date.now())}  ${plan.name}  ${text}`]);
    return {
      begin(todo) {
        state.begin(todo);
        say(`${String(todo.length)} to measure, ${state.timeLeft()}`);
      },
      tell(what) {
        const line = state.take(what);
        if (line !== null) say(`${line}${what.event === 'crossed' ? ` · ${state.timeLeft()}` : ''}`);
      },
      end: () => undefined,
    };
  }
  return drawn(cli, state);
}

function drawn(cli: Cli, state: State): ExperimentTeller {
  const screen = new Screen(cli.io.stdout);
  const colour = (cli.io.env.NO_COLOR ?? '') === '';
  const draw = (): void => screen.draw(state.picture(screen.width).map((line) => paint(line, screen.width, colour)));
  const timer = setInterval(draw, frameMs);
  let ended = false;
  return {
    begin(todo) {
      state.begin(todo);
      draw();
    },
    tell(what) {
      state.take(what);
      draw();
    },
    end() {
      if (ended) return;
      ended = true;
      clearInterval(timer);
      draw();
      screen.end();
    },
  };
}

/** Where the experiment stands. */
class State {
  readonly #plan: Plan;
  readonly #forecastOf: (todo: Point[]) => Forecast;
  #forecast: Forecast | null = null;
  #total = 0;
  #now = 'looks at the line';
  #beganMs = Date.now();
  readonly #last: Piece[][] = [];

  constructor(plan: Plan, forecastOf: (todo: Point[]) => Forecast) {
    this.#plan = plan;
    this.#forecastOf = forecastOf;
  }

  begin(todo: Point[]): void {
    this.#forecast = this.#forecastOf(todo);
    this.#total = todo.length;
  }

  /** Gives the line that tells it, or null when it is not worth one. */
  take(what: Told): string | null {
    switch (what.event) {
      case 'missing':
        return this.#remember('yellow', `${what.way} is not measured: ${what.lacks.join('; ')}`);
      case 'line': {
        this.#now = `looks at the line: ${what.words}`;
        if (what.wrong.length === 0) return null;
        return this.#remember('yellow', `${what.words}: the line has ${what.wrong.join('; ')}`);
      }
      case 'left-out':
        for (const point of what.points) this.#forecast?.passed(point, null);
        return this.#remember('yellow', `${String(what.points.length)} left out: the line is not as asked`);
      case 'begins':
        this.#now = wordsOf(what.point, this.#plan);
        this.#beganMs = Date.now();
        return null;
      case 'crossed':
        this.#forecast?.passed(what.point, Date.now() - this.#beganMs);
        return this.#remember('green', `${wordsOf(what.point, this.#plan)}: ${formatMs(what.totalMs)}`);
      case 'failed':
        this.#forecast?.passed(what.point, Date.now() - this.#beganMs);
        return this.#remember('red', `${wordsOf(what.point, this.#plan)} failed: ${what.why}`);
    }
  }

  timeLeft(): string {
    const ms = this.#forecast?.leftMs() ?? 0;
    if (ms === 0) return 'nothing left';
    return `about ${ms < 59_500 ? `${String(Math.ceil(ms / 1000))} s` : formatMs(ms)} left`;
  }

  picture(columns: number): Piece[][] {
    const left = this.#forecast?.left ?? 0;
    const share = this.#total === 0 ? 0 : (this.#total - left) / this.#total;
    const counted = `${String(this.#total - left)} of ${String(this.#total)}`;
    const percent = `${String(Math.floor(share * 100))} %`.padStart(6);
    return [
      [['bold', this.#plan.name], `   ${clean(this.#plan.title)}`],
      [],
      ['  ', ...bar(share, Math.max(8, Math.min(40, columns - 44))), `${percent}   ${counted} · ${this.timeLeft()}`],
      ...(left === 0 ? [] : [['  ', ['cyan', this.#now]] satisfies Piece[]]),
      [],
      ...this.#last,
      ...(left === 0 ? [] : [[], ['  ', ['dim', 'Ctrl-C stops it; the same command goes on.']] satisfies Piece[]]),
    ];
  }

  #remember(style: 'green' | 'yellow' | 'red', line: string): string {
    const mark = { green: '✓', yellow: '!', red: '✗' }[style];
    this.#last.push(['  ', [style, mark], ` ${clean(line)}`]);
    if (this.#last.length > lastShown) this.#last.shift();
    return line;
  }
}

/** `scp, 100 Mbit/s, 40 ms (2 of 3)`. */
function wordsOf({ way, rateMbps, roundTripMs, lossPercent, repeat }: Point, { repeats }: Plan): string {
  const loss = lossPercent === 0 ? '' : `, ${String(lossPercent)} % lost`;
  return `${way}, ${String(rateMbps)} Mbit/s, ${String(roundTripMs)} ms${loss} (${String(repeat)} of ${String(repeats)})`;
}
