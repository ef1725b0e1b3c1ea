// What moves a conversation's frames. The WebSocket is one of them; requests carry where it does not get through.

/** `stream`: event stream down and requests up; `poll`: requests both ways. */
export type CarrierKind = 'socket' | 'stream' | 'poll'

/** Why requests carry in a WebSocket's place: it was refused, or nothing came through it. */
export interface Detour {
  why: 'refused' | 'silent'
  /** 0: it is being tried. */
  triedAgainAt: number
}

export interface CarrierEvents {
  /** Frames can be sent. `isAsked`: on this carrier hello was said and all of the text asked for already. */
  opened(isAsked: boolean): void
  heard(frame: Uint8Array): void
  /** The server's side gave a sign of life that is no frame, or the kind has changed. */
  alive(): void
  /** It is over; codes are those of a WebSocket. Nothing is told behind it. `afterMs`: not to be tried again before. */
  closed(code: number, reason: string, afterMs?: number): void
}

export interface Carrier {
  readonly kind: CarrierKind
  /** Sends a frame; false when it is not open, and then the frame is gone. */
  send(frame: Uint8Array): boolean
  close(): void
}

/** Begins a carrier; its events come in later turns. */
export type Opener = (events: CarrierEvents) => Carrier

/** Close codes 4400 to 4499 say that trying again with the same request can not succeed. */
export function isFinal(code: number): boolean {
  return code >= 4400 && code <= 4499
}

export const BROKEN = 1006

/** There is no such session any more; another one may be begun at once. */
export const GONE = 1001
