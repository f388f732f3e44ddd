/** What was asked for cannot be done, and nothing was written. The message says what to do. */
export class ProjectError extends Error {
  constructor (message: string) {
    super(message)
    this.name = 'ProjectError'
  }
}
