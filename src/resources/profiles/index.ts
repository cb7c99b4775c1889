import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import {
  admitNewProfile,
  createProfile,
  deleteProfile,
  getMyProfile,
  getProfile,
  listProfiles,
  replaceProfile,
  updateProfile,
} from './service.js';

export default resource((serve) => {
  serve(operations.listProfiles, listProfiles);
  serve(operations.createProfile, createProfile, { admit: admitNewProfile });
  serve(operations.getMyProfile, getMyProfile);
  serve(operations.getProfile, getProfile);
  // Who sees a profile may change it.
  serve(operations.replaceProfile, replaceProfile, { admit: getProfile });
  serve(operations.updateProfile, updateProfile, { admit: getProfile });
  serve(operations.deleteProfile, deleteProfile);
});
