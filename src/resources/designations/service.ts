import { doctorDesignations, designations } from '../../../db/tables/index.js';
import { lookupService } from '../../lib/lookups.js';

export const {
  list: listDesignations,
  get: getDesignation,
  create: createDesignation,
  update: updateDesignation,
  remove: deleteDesignation,
} = lookupService({
  table: designations,
  slugConstraint: 'designations_slug_key',
  doctorId: doctorDesignations.doctorId,
  entryId: doctorDesignations.designationId,
  reference: 'doctor_designations_designation_id_designations_id_fk',
});
