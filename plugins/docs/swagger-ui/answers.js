/** What an operation answers: what it did, and what the contract says that it can. */

/** Documented errors stand folded beneath the answers that an operation is called for. */
const withFoldedErrors =
  (Original, { React }) =>
  (props) => {
    const h = React.createElement;
    const [isOpen, setOpen] = React.useState(false);
    const isError = (_response, status) => !status.startsWith('2');
    const errors = props.responses.filter(isError);
    return h(
      React.Fragment,
      null,
      h(Original, { ...props, responses: props.responses.filterNot(isError) }),
      errors.size > 0 &&
        h(
          'details',
          { className: 'errors', onToggle: (event) => setOpen(event.currentTarget.open) },
          h('summary', null, `${errors.size} documented errors`),
          isOpen && h(Original, { ...props, responses: errors, tryItOutResponse: undefined }),
        ),
    );
  };

/** How long an answer took, and the id by which the server's log knows its request. */
const withRequestId =
  (Original, { React }) =>
  (props) => {
    const h = React.createElement;
    const id = props.response.getIn(['headers', 'x-request-id']);
    const duration = props.response.get('duration');
    return h(
      React.Fragment,
      null,
      id !== undefined &&
        h('p', { className: 'request' }, `Answered in ${duration} ms, as request `, h('code', null, id)),
      h(Original, props),
    );
  };

export const answersPlugin = () => ({
  wrapComponents: { responses: withFoldedErrors, liveResponse: withRequestId },
});
