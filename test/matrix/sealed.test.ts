import { playLane } from './lane.ts';

playLane('sealed');
