import { doctorSpecialisations, specialisations } from '../../../db/tables/index.js';
import { lookupService } from '../../lib/lookups.js';

export const {
  list: listSpecialisations,
  get: getSpecialisation,
  create: createSpecialisation,
  update: updateSpecialisation,
  remove: deleteSpecialisation,
} = lookupService({
  table: specialisations,
  slugConstraint: 'specialisations_slug_key',
  doctorId: doctorSpecialisations.doctorId,
  entryId: doctorSpecialisations.specialisationId,
  reference: 'doctor_specialisations_specialisation_id_specialisations_id_fk',
});
