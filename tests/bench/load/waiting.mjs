// Waiting for something to come true.
import { now } from './meter.mjs'

const WITHIN_MS = 60_000

export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
/** Whether something came true in time. */
export const until = async (isTrue, ms = WITHIN_MS) => {
  for (const end = now() + ms; now() < end; await sleep(2)) if (isTrue()) return true
  return isTrue()
}
