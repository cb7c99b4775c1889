/** What orval's functions call: they give a path, and take every answer with its status. */

let baseUrl = '';
let authorization: Record<string, string> = {};
export function configure(base: string): void {
  baseUrl = base;
}
export function authorize(access: string): void {
  authorization = { Authorization: `Bearer ${access}` };
}

export async function request<T>(path: string, { headers, ...options }: RequestInit): Promise<T> {
  const response = await fetch(baseUrl + path, {
    ...options,
    headers: { ...authorization, ...(headers as Record<string, string>) },
  });
  const data: unknown = response.status === 304 ? undefined : await response.json();
  return { data, status: response.status, headers: response.headers } as T;
}
