/** The list of operations, and how each opens. */
import { at } from './root.js';

/** The contract as a tester needs it: of this server, and with no record chosen where a request changes or removes it. */
export function forTesters(contract) {
  const resolve = (parameter) =>
    parameter.$ref === undefined ? parameter : contract.components.parameters[parameter.$ref.split('/').at(-1)];
  for (const item of Object.values(contract.paths)) {
    const { parameters: shared = [], ...operations } = item;
    delete item.parameters;
    for (const [method, operation] of Object.entries(operations)) {
      const changes = ['put', 'patch', 'delete'].includes(method);
      const chosen = shared.map(resolve).map((each) => (changes ? { ...each, example: undefined } : each));
      operation.parameters = [...chosen, ...(operation.parameters ?? [])];
    }
  }
  return { ...contract, servers: [{ url: at('/') }] };
}

/** Keeps the operations in whose names, paths or texts each word of the phrase is found, whatever its case. */
function filterOperations(groups, phrase) {
  const words = phrase.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (tag) => (operation) => {
    const texts = ['operationId', 'summary', 'description'].map((part) => operation.getIn(['operation', part]));
    const text = [tag, operation.get('path'), operation.get('method'), ...texts].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  };
  return groups
    .map((group, tag) => group.update('operations', (operations) => operations.filter(fits(tag))))
    .filter((group) => group.get('operations').size > 0);
}

/** Says at a field what is wrong with it, also at that for a file. */
const withFault =
  (Original, { React }) =>
  (props) => {
    const faults = [...(props.errors ?? [])].filter((error) => typeof error === 'string');
    return React.createElement(
      React.Fragment,
      null,
      React.createElement(Original, props),
      faults.length > 0 && React.createElement('p', { className: 'fault', role: 'alert' }, faults.join(' ')),
    );
  };

/** Says of a filter that finds nothing what it is: Swagger UI takes it for an empty contract. */
const withNoneFound =
  (Original, { React }) =>
  (props) =>
    props.specSelectors.taggedOperations().size > 0
      ? React.createElement(Original, props)
      : React.createElement('p', { className: 'none-found', role: 'status' }, 'No operation has all of these words.');

/** Gives the focus back to the button that sends a request: it loses it while it is disabled for the answer. */
const withFocus =
  (Original, { React }) =>
  (props) => {
    const place = React.useRef(null);
    const isPressed = React.useRef(false);
    React.useEffect(() => {
      if (!isPressed.current || props.disabled) return;
      isPressed.current = false;
      place.current.querySelector('button').focus();
    }, [props.disabled]);
    const onClick = () => (isPressed.current = true);
    return React.createElement(
      'div',
      { ref: place, className: 'sender', onClick },
      React.createElement(Original, props),
    );
  };

/** No server to choose, since there is one; and no links within the buttons that open an operation. */
export const listPlugin = ({ React }) => ({
  fn: { opsFilter: filterOperations },
  components: {
    ServersContainer: () => null,
    DeepLink: ({ text }) => React.createElement('span', null, text),
  },
  wrapComponents: { JsonSchemaForm: withFault, operations: withNoneFound, execute: withFocus },
});
