import { designations } from '../../../db/tables/index.js';
import { LINKS, lookupService } from '../../lib/lookups.js';

export const {
  list: listDesignations,
  get: getDesignation,
  create: createDesignation,
  update: updateDesignation,
  remove: deleteDesignation,
} = lookupService({
  table: designations,
  slugConstraint: 'designations_slug_key',
  links: LINKS.designation,
  references: { doctor_designations_designation_id_designations_id_fk: 'A doctor has it.' },
});
