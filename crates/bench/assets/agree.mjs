// The hook of B17: it looks at the document and agrees.
export async function handler(event) {
  const began = (performance.timeOrigin + performance.now()) * 1000;
  if (event.data.document.total < 0) return { reject: "the total is negative" };
  return { began: Math.round(began) };
}
