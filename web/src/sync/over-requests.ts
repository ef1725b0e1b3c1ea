// Requests as a carrier whose code comes only where it is needed.
import { BROKEN, type Carrier, type CarrierEvents, type Opener } from './carrier'

export const overRequests =
  (base: string, id: string): Opener =>
  (events: CarrierEvents): Carrier => {
    let carrier: Carrier | undefined
    let isClosed = false
    import('./requests')
      .then(({ openRequests }) => {
        if (!isClosed) carrier = openRequests(base, id, events)
      })
      .catch(() => {
        if (!isClosed) events.closed(BROKEN, 'A part of this page could not be loaded')
      })
    return {
      get kind() {
        return carrier?.kind ?? 'stream'
      },
      send: frame => carrier?.send(frame) ?? false,
      close: () => {
        isClosed = true
        carrier?.close()
      },
    }
  }
