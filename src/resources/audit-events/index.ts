import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import { listAuditEvents, listMyAccesses } from './service.js';

export default resource((serve) => {
  serve(operations.listAuditEvents, listAuditEvents);
  serve(operations.listMyAccesses, listMyAccesses);
});
