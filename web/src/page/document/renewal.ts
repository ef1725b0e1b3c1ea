import type { Why } from '../../sync/types'

type Renew = (reapply: boolean, why: Why) => void

let renew: Renew = () => {}

/** Whoever opens a session says how it is replaced. */
export const renewBy = (how: Renew): void => {
  renew = how
}

/**
 * Makes the replica anew from what the server has, under a new client id. With `reapply`, what only we have comes back
 * as new edits; what does not is set aside for /recover.
 */
export const rebuild: Renew = (reapply, why) => renew(reapply, why)
