// The text of an event stream to its events (WHATWG HTML, section 9.2).

export class EventText {
  #rest = ''
  #event = ''
  #id = ''
  #data: string[] = []

  constructor(private readonly told: (event: string, id: string, data: string) => void) {}

  push(text: string): void {
    // A CR at the end may be half of a line's end.
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/)
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#line(line)
  }

  #line(line: string): void {
    if (line === '') {
      if (this.#data.length > 0) this.told(this.#event, this.#id, this.#data.join('\n'))
      this.#event = ''
      this.#data = []
      return
    }
    const colon = line.indexOf(':')
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'event') this.#event = value
    else if (name === 'id') this.#id = value
    else if (name === 'data') this.#data.push(value)
  }
}
