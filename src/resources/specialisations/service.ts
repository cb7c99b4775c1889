import { specialisations } from '../../../db/tables/index.js';
import { LINKS, lookupService } from '../../lib/lookups.js';

export const {
  list: listSpecialisations,
  get: getSpecialisation,
  create: createSpecialisation,
  update: updateSpecialisation,
  remove: deleteSpecialisation,
} = lookupService({
  table: specialisations,
  slugConstraint: 'specialisations_slug_key',
  links: LINKS.specialisation,
  references: {
    doctor_specialisations_specialisation_id_specialisations_id_fk: 'A doctor has it.',
    waiting_entries_specialisation_id_specialisations_id_fk: 'A patient waits for it.',
  },
});
