import * as Y from 'yjs'

/** Changes on their way to this device. `mine` is what of `update` was made here, `changes` how many changes that is. */
export interface Bundle {
  update: Uint8Array
  mine: Uint8Array | null
  changes: number
}

export const localChange = (update: Uint8Array): Bundle => ({ update, mine: update, changes: 1 })
export const remoteChange = (update: Uint8Array): Bundle => ({ update, mine: null, changes: 0 })

/** One update out of several, none out of none. */
export function merged(updates: readonly Uint8Array[]): Uint8Array | null {
  const [first, ...rest] = updates
  if (!first) return null
  return rest.length === 0 ? first : Y.mergeUpdates([first, ...rest])
}

/** Several bundles as one, in their order. */
export function joined(bundles: readonly Bundle[]): Bundle | null {
  const update = merged(bundles.map(bundle => bundle.update))
  if (!update) return null
  return {
    update,
    mine: merged(bundles.flatMap(({ mine }) => mine ?? [])),
    changes: bundles.reduce((sum, { changes }) => sum + changes, 0),
  }
}
