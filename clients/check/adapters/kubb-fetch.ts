/** What kubb's functions call: an error is part of the answer, with the type that they give for it. */

let baseUrl = '';
let authorization: Record<string, string> = {};
export function configure(base: string): void {
  baseUrl = base;
}
export function authorize(access: string): void {
  authorization = { Authorization: `Bearer ${access}` };
}

export interface RequestConfig<TData = unknown> {
  url?: string | undefined;
  method: string;
  params?: object | undefined;
  data?: TData | FormData | undefined;
  headers?: object | undefined;
}
export type ResponseErrorConfig<TError> = TError;
export type ResponseConfig<TData, TError = unknown> =
  { isDone: true; data: TData; response: Response } | { isDone: false; error: TError; response: Response };
export type Client = typeof request;

export default async function request<TData, TError = unknown, TVariables = unknown>(
  config: RequestConfig<TVariables>,
): Promise<ResponseConfig<TData, TError>> {
  const { url = '', method, params = {}, data, headers } = config;
  const query = new URLSearchParams(Object.entries(params).map(([name, value]) => [name, String(value)]));
  const json = { 'Content-Type': 'application/json' };
  const response = await fetch(`${baseUrl}${url}?${query}`, {
    method,
    headers: { ...authorization, ...(data !== undefined && !(data instanceof FormData) && json), ...headers },
    ...(data !== undefined && { body: data instanceof FormData ? data : JSON.stringify(data) }),
  });
  return response.ok
    ? { isDone: true, data: (await response.json()) as TData, response }
    : { isDone: false, error: (await response.json()) as TError, response };
}
