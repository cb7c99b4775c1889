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

/** Keeps the operations in whose names, paths or summaries each word of the phrase is found, whatever its case. */
function filterOperations(groups, phrase) {
  const words = phrase.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (tag) => (operation) => {
    const parts = [['path'], ['method'], ['operation', 'operationId'], ['operation', 'summary']];
    const text = [tag, ...parts.map((part) => operation.getIn(part))].join(' ').toLowerCase();
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

/** No server to choose, since there is one; and no links within the buttons that open an operation. */
export const listPlugin = ({ React }) => ({
  fn: { opsFilter: filterOperations },
  components: {
    ServersContainer: () => null,
    DeepLink: ({ text }) => React.createElement('span', null, text),
  },
  wrapComponents: { JsonSchemaForm: withFault },
});
