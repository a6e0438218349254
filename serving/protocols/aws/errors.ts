// Errors as AWS's services give them: a code, a status and a message for people.

export class AwsError extends Error {
  override readonly name = 'AwsError';
  readonly code: string;
  readonly status: number;
  /** Members of the answer's body besides the message. */
  readonly details: Readonly<Record<string, string | number>>;
  constructor(code: string, message: string, status = 400, details: Readonly<Record<string, string | number>> = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.details = details;
  }
}
export const validation = (message: string): AwsError => new AwsError('ValidationException', message);
/** What the runtime calls the same. */
export const runtimeValidation = (message: string): AwsError => new AwsError('ValidationError', message);
export const serialization = (message: string): AwsError => new AwsError('SerializationException', message);
