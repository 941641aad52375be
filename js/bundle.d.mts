export function bundle(): Promise<string>;
export function shrunk(code: string): Promise<string>;
