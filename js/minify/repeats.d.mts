export function withoutRepeats(code: string): string;
