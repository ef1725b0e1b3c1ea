/** The twelve presence colours by index. The same list stands in style/tokens.css and on the server. */
export interface PresenceColour {
  readonly name: string
  readonly hex: string
  /** The ink that reaches 4.5:1 on it. */
  readonly ink: '#ffffff' | '#000000'
}

export const palette: readonly PresenceColour[] = [
  { name: 'Blue', hex: '#1a50ff', ink: '#ffffff' },
  { name: 'Red', hex: '#d90000', ink: '#ffffff' },
  { name: 'Green', hex: '#2a7500', ink: '#ffffff' },
  { name: 'Lilac', hex: '#bd6bf7', ink: '#000000' },
  { name: 'Ochre', hex: '#ae8c02', ink: '#000000' },
  { name: 'Teal', hex: '#009691', ink: '#000000' },
  { name: 'Pink', hex: '#ff44a4', ink: '#000000' },
  { name: 'Violet', hex: '#835fcc', ink: '#ffffff' },
  { name: 'Rose', hex: '#d1616f', ink: '#000000' },
  { name: 'Magenta', hex: '#af2c9a', ink: '#ffffff' },
  { name: 'Slate', hex: '#848dc5', ink: '#000000' },
  { name: 'Umber', hex: '#8b555b', ink: '#ffffff' },
]

const last = palette[11] as PresenceColour

/** The colour of an index from the wire; an index out of range gets the last one. */
export const colourAt = (index: number): PresenceColour => palette[index] ?? last

/** The ink for a `#rrggbb` colour of the palette; black on one that this build does not know. */
export const inkOn = (hex: string): string => palette.find(colour => colour.hex === hex)?.ink ?? '#000000'
