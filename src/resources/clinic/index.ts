import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import { getClinic } from './service.js';

export default resource((serve) => {
  serve(operations.getClinic, getClinic);
});
