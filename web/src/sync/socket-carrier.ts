// The WebSocket as a carrier, also one that the head of the page has opened before this code was there.
import type { Carrier, CarrierEvents, Opener } from './carrier'
import { openSocket } from './early'

export const overSocket =
  (url: string): Opener =>
  (events: CarrierEvents): Carrier => {
    const { socket, isAsked } = openSocket(url, (from, event) => {
      if (event instanceof CloseEvent) events.closed(event.code, event.reason)
      else if (!(event instanceof MessageEvent)) events.opened(isAsked())
      else if (event.data instanceof ArrayBuffer) events.heard(new Uint8Array(event.data))
      else from.close()
    })
    return {
      kind: 'socket',
      send: frame => {
        if (socket.readyState !== WebSocket.OPEN) return false
        socket.send(frame as Uint8Array<ArrayBuffer>)
        return true
      },
      close: () => socket.close(),
    }
  }
