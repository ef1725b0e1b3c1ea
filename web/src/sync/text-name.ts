/** The name of the shared text; the server refuses any other. */
export const TEXT_NAME = 'content'
