/** What a sender did during a stretch of time. */
export interface TunerSample {
  ms: number;
  /** Plain bytes acknowledged. */
  plainBytes: number;
  /** Share of the lanes' time spent waiting for the sockets. */
  blockedShare: number;
  /** Whether the landing said that it could not keep up. */
  landingBusy: boolean;
  /** Whether the rate limit held bytes back. */
  limited: boolean;
  /** Sealed size of compressed chunks against their plain one; null when none was compressed. */
  ratio: number | null;
}

export interface Setting {
  streams: number;
  compress: boolean;
}

interface Experiment {
  what: 'streams' | 'compress';
  before: Setting;
  rate: number;
}

/** A change must bring so much to stay. */
const gain = 1.08;
const restMs = 30_000;
const wireShare = 0.5;
const leastShrink = 0.9;

/**
 * Finds a number of streams, and whether to compress, by trying: only while the wire is the limit, one thing at a time, and
 * back to what was before when it does not help.
 */
export class Tuner {
  setting: Setting;
  readonly #mostStreams: number;
  readonly #tunesCompress: boolean;
  #experiment: Experiment | null = null;
  /** The stretch in which a change was made says nothing yet. */
  #settling = true;
  #nowMs = 0;
  #restUntilMs = { streams: 0, compress: 0 };

  constructor(start: Setting, tunes: { mostStreams: number; compress: boolean }) {
    this.setting = start;
    this.#mostStreams = tunes.mostStreams;
    this.#tunesCompress = tunes.compress;
  }

  /** Looks at one stretch and says what to set for the next one. */
  step(sample: TunerSample): Setting {
    this.#nowMs += sample.ms;
    if (this.#settling) {
      this.#settling = false;
      return this.setting;
    }
    const rate = sample.plainBytes / Math.max(1, sample.ms);
    if (this.#experiment !== null) return this.#judge(this.#experiment, rate, sample);
    const isWire = (sample.blockedShare > wireShare && !sample.landingBusy) || sample.limited;
    if (!isWire || rate === 0) return this.setting;
    if (this.#tunesCompress && !this.setting.compress && this.#nowMs >= this.#restUntilMs.compress) {
      return this.#try('compress', { ...this.setting, compress: true }, rate);
    }
    const more = Math.min(this.#mostStreams, this.setting.streams + Math.ceil(this.setting.streams / 2));
    if (!sample.limited && more > this.setting.streams && this.#nowMs >= this.#restUntilMs.streams) {
      return this.#try('streams', { ...this.setting, streams: more }, rate);
    }
    return this.setting;
  }

  #try(what: Experiment['what'], next: Setting, rate: number): Setting {
    this.#experiment = { what, before: this.setting, rate };
    this.#settling = true;
    this.setting = next;
    return next;
  }

  #judge({ what, before, rate: rateBefore }: Experiment, rate: number, sample: TunerSample): Setting {
    this.#experiment = null;
    const isUseless = what === 'compress' && (sample.ratio === null || sample.ratio > leastShrink);
    if (rate >= rateBefore * gain && !isUseless) return this.setting;
    this.#restUntilMs[what] = this.#nowMs + restMs;
    this.#settling = true;
    this.setting = before;
    return before;
  }
}
