export function bundle(): Promise<{ readonly code: string; readonly shortened: readonly string[] }>;
