// Locks between the windows of this browser, by whatever it offers.
import { request as lease } from './lease'

/** As `navigator.locks.request`; `hold` is given null where the lock is wanted only if it is free, and it is not. */
export async function request(
  name: string,
  how: LockOptions,
  hold: (lock: unknown) => unknown,
): Promise<void> {
  if (navigator.locks) await navigator.locks.request(name, how, hold)
  else await lease(name, how, hold)
}

/** For how long a lock is held. */
export const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve())
  })
