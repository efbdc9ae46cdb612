import type { MoveProgress } from '../../client/index.ts';
import type { Cli } from '../cli.ts';
import { EventLines } from './events.ts';
import { PlainLines } from './plain-lines.ts';
import { renderMove } from './render-move.ts';
import { Screen } from './screen.ts';

/** Tells how a migration goes on: as pictures on a terminal, as lines elsewhere, as objects with `--json`. */
export interface Teller {
  tell(look: MoveProgress): void;
  /** What the keys do now; shown on a terminal only. */
  foot(lines: string[]): void;
  end(): void;
}

export function makeTeller(cli: Cli): Teller {
  if (cli.json) return eventTeller(cli);
  return cli.io.stdout.isTTY === true && cli.io.env.TERM !== 'dumb' ? screenTeller(cli) : lineTeller(cli);
}

function eventTeller(cli: Cli): Teller {
  const events = new EventLines();
  return {
    tell(look) {
      const event = events.next(look, Date.now());
      if (event !== null) cli.event(event);
    },
    foot: () => undefined,
    end: () => undefined,
  };
}

function lineTeller(cli: Cli): Teller {
  const lines = new PlainLines();
  return {
    tell: (look) => cli.lines(lines.next(look, Date.now())),
    foot: () => undefined,
    end: () => undefined,
  };
}

const frameMs = 120;

function screenTeller(cli: Cli): Teller {
  const screen = new Screen(cli.io.stdout);
  const colour = (cli.io.env.NO_COLOR ?? '') === '';
  let last: MoveProgress | null = null;
  let foot: string[] = [];
  let frame = 0;
  const draw = (): void => {
    if (last === null) return;
    const { status, transfer, trouble } = last;
    const shown = trouble === transfer?.trouble ? null : trouble;
    screen.draw(renderMove(status, transfer, screen.width, { frame, colour, trouble: shown, foot }));
  };
  const timer = setInterval(() => {
    frame += 1;
    draw();
  }, frameMs);
  return {
    tell(look) {
      last = look;
      draw();
    },
    foot(lines) {
      foot = lines;
      draw();
    },
    end() {
      clearInterval(timer);
      foot = [];
      draw();
      screen.end();
    },
  };
}
