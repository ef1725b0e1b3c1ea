// The server and the network, as `fetch` sees them, played by hand.
import { vi } from 'vitest'
import { framesIn } from './frames'

/** A request that has come; answered by hand, or by what `answers` says. */
export class Asked {
  readonly url: URL
  readonly method: string
  readonly keepalive: boolean
  readonly body: Uint8Array
  isAborted = false
  #resolve: (answer: Response) => void = () => {}
  #reject: (reason: unknown) => void = () => {}
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  readonly answered: Promise<Response>

  constructor(url: string, init: RequestInit = {}) {
    this.url = new URL(url, 'http://d')
    this.method = init.method ?? 'GET'
    this.keepalive = init.keepalive === true
    this.body = (init.body as Uint8Array | undefined) ?? new Uint8Array()
    this.answered = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    init.signal?.addEventListener('abort', () => this.#abort())
  }

  /** The first part of the path: sessions, frames, sse or poll. */
  get what(): string {
    return this.url.pathname.split('/')[1] ?? ''
  }

  get sessions(): string[] {
    return this.url.searchParams.getAll('session')
  }

  get n(): string | null {
    return this.url.searchParams.get('n')
  }

  /** The first bytes of its frames. */
  get frames(): number[] {
    return framesIn(this.body).map(frame => frame[0] ?? -1)
  }

  #abort(): void {
    this.isAborted = true
    const reason = new DOMException('aborted', 'AbortError')
    this.#reject(reason)
    this.#break(reason)
  }

  #break(reason: unknown): void {
    try {
      this.#controller?.error(reason)
    } catch {
      // it has ended
    }
  }

  answer(status: number, body: BodyInit | null = null, headers: Record<string, string> = {}): void {
    this.#resolve(new Response(body, { status, headers }))
  }

  problem(status: number, detail = '', headers: Record<string, string> = {}): void {
    this.answer(status, JSON.stringify({ detail }), {
      'Content-Type': 'application/problem+json',
      ...headers,
    })
  }

  /** Nobody answers. */
  fail(): void {
    this.#reject(new TypeError('Failed to fetch'))
    this.#break(new TypeError('network error'))
  }

  /** The head of a stream. */
  stream(): void {
    const body = new ReadableStream<Uint8Array>({
      start: controller => {
        this.#controller = controller
      },
    })
    this.answer(200, body, { 'Content-Type': 'text/event-stream; charset=utf-8' })
    this.say('retry: 2000\n\n')
  }

  say(text: string | Uint8Array): void {
    this.#controller?.enqueue(typeof text === 'string' ? new TextEncoder().encode(text) : text)
  }

  /** A frame of one byte, as an event. */
  frame(byte: number, place = 0, number = 1): void {
    this.say(`event: frame\nid: ${place}.${number}\ndata: ${btoa(String.fromCharCode(byte))}\n\n`)
  }

  end(): void {
    this.#controller?.close()
  }

  /** A poll's answer with frames of one byte. */
  brings(...bytes: number[]): void {
    const body = Uint8Array.from(bytes.flatMap(byte => [0, 1, byte]))
    this.answer(200, body, { 'Content-Type': 'application/octet-stream' })
  }
}

export class FarSide {
  readonly all: Asked[] = []
  /** Answers by itself where it gives true. */
  answers: (asked: Asked) => boolean = () => false
  #begun = 0

  constructor() {
    vi.stubGlobal('fetch', (url: string, init?: RequestInit) => {
      const asked = new Asked(url, init)
      this.all.push(asked)
      if (!this.answers(asked)) this.#usual(asked)
      return asked.answered
    })
  }

  /** Begins and ends sessions, takes frames. */
  #usual(asked: Asked): void {
    if (asked.what === 'sessions' && asked.method === 'POST') {
      this.#begun += 1
      asked.answer(201, JSON.stringify({ session: `S${this.#begun}` }))
    } else if (asked.what === 'sessions' || asked.what === 'frames') asked.answer(204)
  }

  of(what: string, method?: string): Asked[] {
    return this.all.filter(asked => asked.what === what && (!method || asked.method === method))
  }

  last(what: string): Asked {
    const found = this.of(what).at(-1)
    if (!found) throw new Error(`nobody asked for /${what}`)
    return found
  }
}
