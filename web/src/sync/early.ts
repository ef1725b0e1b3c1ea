// The socket that the head of the page has opened before this code was there (document.html).

const SOCKET_EVENTS = ['open', 'message', 'close'] as const

interface EarlySocket {
  socket: WebSocket
  /** What it said so far, by `hear`. */
  heard: Event[]
  hear: (event: Event) => void
  /** Hello was said on it and all of the text asked for. */
  asked: boolean
}

declare global {
  interface Window {
    coscribeSocket?: EarlySocket
  }
}

/** A socket whose events are told to `hear`, those of an early one from its beginning; `isAsked` is known once it is open. */
export function openSocket(url: string, hear: (socket: WebSocket, event: Event) => void) {
  const early = window.coscribeSocket?.socket.url === url ? window.coscribeSocket : undefined
  const socket = early?.socket ?? new WebSocket(url)
  socket.binaryType = 'arraybuffer'
  for (const type of SOCKET_EVENTS) socket.addEventListener(type, event => hear(socket, event))
  if (early) {
    delete window.coscribeSocket
    for (const type of SOCKET_EVENTS) socket.removeEventListener(type, early.hear)
    // In this turn, so ahead of whatever it says next, but not before its owner has it.
    queueMicrotask(() => {
      for (const event of early.heard) hear(socket, event)
    })
  }
  return { socket, isAsked: () => early?.asked === true }
}
