import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import { agendaPage, agendaTable } from './renderings.js';
import { getAgenda } from './service.js';

export default resource((serve) => {
  serve(operations.getAgenda, getAgenda, {
    renderings: { 'text/csv': agendaTable, 'text/html': agendaPage },
  });
});
