/** Hands bytes to the browser as a file that the user saves. */
export function download(filename: string, mime: string, bytes: DataView): void {
  const url = URL.createObjectURL(new Blob([bytes as DataView<ArrayBuffer>], { type: mime }));
  const link = document.createElement("a");
  link.href = url;
  link.download = filename;
  link.click();
  // The download reads the address after this returns.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
