import sequencing from '@jest/test-sequencer';

// Of a CommonJS package node gives the class, and TypeScript sees what it is a member of.
const Sequencer = /** @type {typeof sequencing.default} */ (/** @type {unknown} */ (sequencing));

/** The lanes of the matrix first: they take the longest, and the others fill the rest of the machine meanwhile. */
export default class LongestFirst extends Sequencer {
  /**
   * @override
   * @type {InstanceType<typeof Sequencer>['sort']}
   */
  async sort(tests) {
    const isLane = ({ path = '' }) => /\/matrix\/(sealed|staged)\.test\.ts$/.test(path);
    const sorted = [...(await super.sort(tests))];
    return sorted.sort((one, other) => Number(isLane(other)) - Number(isLane(one)));
  }
}
