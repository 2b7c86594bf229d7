/** What the server answers when something fails in it, for pages that are to show it. */
export const problem = {
  type: "about:blank",
  title: "Internal Server Error",
  status: 500,
  code: "internal",
  detail: "Something failed on the server.",
  request_id: "req-for-the-test",
};
