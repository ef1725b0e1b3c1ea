// Frames in the bodies of requests, and the frame that ends a session there (docs/protocol.md, P21 and P24).
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'

const CLOSING = 0x74

export function joinFrames(frames: readonly Uint8Array[]): Uint8Array {
  return encoding.encode(encoder => {
    for (const frame of frames) encoding.writeVarUint8Array(encoder, frame)
  })
}

/** The frames of a poll's answer, each with the place of its session in the query; each its own bytes, to be passed on. */
export function* framesOf(body: Uint8Array): Generator<{ place: number; frame: Uint8Array }> {
  const decoder = decoding.createDecoder(body)
  while (decoding.hasContent(decoder)) {
    yield { place: decoding.readVarUint(decoder), frame: decoding.readVarUint8Array(decoder).slice() }
  }
}

/** The last frame of a session. */
export const isClosing = (frame: Uint8Array): boolean => frame[0] === CLOSING

/** Why a session has ended; null for any other frame. */
export function decodeClosing(frame: Uint8Array): { code: number; reason: string } | null {
  if (!isClosing(frame)) return null
  const decoder = decoding.createDecoder(frame.subarray(1))
  return { code: decoding.readVarUint(decoder), reason: decoding.readVarString(decoder) }
}
