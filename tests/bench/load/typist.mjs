// Keystrokes, encoded ahead of time. The bytes are those that yjs makes for them, which is proved on the first keys of
// every typist; making all of them with yjs would take a core of its own at 50,000 a second.
import { createRequire } from 'node:module'
import { sized } from './bytes.mjs'

const require = createRequire(new URL('../../../web/package.json', import.meta.url))
export const Y = require('yjs')

/** The client ids of typists begin here: five bytes on the wire, as random ones have. */
export const FIRST_ID = 3_000_000_000
/** Who wrote the text that is there before. */
export const SEED_ID = FIRST_ID - 1
const PROVED = 20
const WORDS = 'The quick brown fox jumps over the lazy dog. '
// The first of 20,992 CJK ideographs in a row: five typists have 4,096 each.
const IDEOGRAPHS = 0x4e00
const EACH = 4096

/** A text of so many characters. */
export const seedText = size => WORDS.repeat(size / WORDS.length + 1).slice(0, size)

/** The update that writes the text into an empty document. */
export const seedUpdate = size => {
  const doc = new Y.Doc()
  doc.clientID = SEED_ID
  doc.getText('content').insert(0, seedText(size))
  return Buffer.from(Y.encodeStateAsUpdate(doc))
}

/** What typist `number` types as his key `key`: a letter, or an ideograph that tells both. */
export const character = (isTold, number, key) =>
  String.fromCharCode(isTold ? IDEOGRAPHS + number * EACH + (key % EACH) : 97 + (key % 26))
/** Who typed an ideograph, and which of his keys modulo `EACH` it is. */
export const told = code => [(code - IDEOGRAPHS) >> 12, (code - IDEOGRAPHS) & (EACH - 1)]
export const TOLD_EACH = EACH

// What is being encoded; one buffer for all, copied once it is whole.
const draft = Buffer.alloc(4096)
let size = 0
const put = byte => {
  draft[size++] = byte
}
const putUint = number => {
  for (let left = number; ; left = Math.floor(left / 128)) {
    if (left < 128) return put(left)
    put((left % 128) | 128)
  }
}

/** Frames of many keys in one piece of memory: key i is `bytes.subarray(ends[i], ends[i + 1])`. */
class Block {
  constructor(keys) {
    this.bytes = Buffer.allocUnsafeSlow(keys * 512)
    this.ends = new Uint32Array(keys + 1)
    this.end = 0
  }

  /** Add what stands in the draft as a masked frame. */
  addFrame() {
    const { bytes } = this
    let at = this.end
    bytes[at++] = 0x82
    if (size < 126) bytes[at++] = 0x80 | size
    else {
      bytes[at++] = 0x80 | 126
      bytes[at++] = size >> 8
      bytes[at++] = size & 255
    }
    const mask = (Math.random() * 2 ** 32) >>> 0
    const start = at + 4
    bytes.writeUInt32LE(mask, at)
    for (let i = 0; i < size; i++) bytes[start + i] = draft[i] ^ ((mask >>> ((i & 3) << 3)) & 255)
    this.end = start + size
  }
}

export class Typist {
  /** Number `number` of `of` typists in a text of `length` characters, in which each has a place of his own. */
  constructor({ number, of, length, prefix, isTold, hasCaret }) {
    this.number = number
    this.id = FIRST_ID + number
    this.at = Math.floor((length * (number + 1)) / (of + 1))
    this.prefix = prefix
    this.isTold = isTold
    this.hasCaret = hasCaret
    this.clock = 0
    this.user = `{"user":{"name":"Person ${number}","color":"#30bced","colorLight":"#30bced33"}`
  }

  /** The next keys: each an update, and where carets are sent an awareness message behind it. */
  keys(count) {
    const block = new Block(count)
    for (let i = 0; i < count; i++) {
      this.#draftUpdate()
      block.addFrame()
      if (this.hasCaret) {
        this.#draftCaret()
        block.addFrame()
      }
      block.ends[i + 1] = block.end
      this.clock++
    }
    return block
  }

  /** All that was typed. */
  get typed() {
    return Array.from({ length: this.clock }, (_, key) => character(this.isTold, this.number, key)).join('')
  }

  #begin(...types) {
    size = this.prefix.copy(draft)
    for (const type of types) put(type)
  }

  /** An insert between the character before it and the one of the text that was there. */
  #draftUpdate() {
    this.#begin(0, 2, 0)
    const from = size
    put(1)
    put(1)
    putUint(this.id)
    putUint(this.clock)
    put(0xc4) // text with a left and a right neighbour
    putUint(this.clock ? this.id : SEED_ID)
    putUint(this.clock ? this.clock - 1 : this.at - 1)
    putUint(SEED_ID)
    putUint(this.at)
    const letter = character(this.isTold, this.number, this.clock)
    const bytes = draft.write(letter, size + 1)
    put(bytes)
    size += bytes
    put(0)
    draft[from - 1] = size - from // always below 128
  }

  #draftCaret() {
    const caret = `{"type":null,"tname":"content","item":{"client":${this.id},"clock":${this.clock}},"assoc":-1}`
    const state = `${this.user},"cursor":{"anchor":${caret},"head":${caret}}}`
    this.#begin(1)
    const from = size
    // Two bytes hold both lengths: a message of this kind has 128 to 16,383 bytes.
    size += 2
    put(1)
    putUint(this.id)
    putUint(this.clock + 1)
    put((state.length & 127) | 128)
    put(state.length >> 7)
    size += draft.latin1Write(state, size)
    const length = size - from - 2
    draft[from] = (length & 127) | 128
    draft[from + 1] = length >> 7
  }

  /** Throws unless the first keys have the bytes that yjs gives them in a text with this update. */
  prove(seed) {
    const doc = new Y.Doc()
    Y.applyUpdate(doc, seed)
    doc.clientID = this.id
    let update
    doc.on('update', made => {
      update = made
    })
    for (; this.clock < PROVED; this.clock++) {
      doc.getText('content').insert(this.at + this.clock, character(this.isTold, this.number, this.clock))
      this.#draftUpdate()
      const wanted = Buffer.concat([this.prefix, Buffer.from([0, 2]), sized(Buffer.from(update))])
      if (!wanted.equals(draft.subarray(0, size))) throw new Error('a keystroke is not what yjs makes of it')
    }
    this.clock = 0
  }
}
