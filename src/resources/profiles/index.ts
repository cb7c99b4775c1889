import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import {
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
  serve(operations.createProfile, createProfile);
  serve(operations.getMyProfile, getMyProfile);
  serve(operations.getProfile, getProfile);
  serve(operations.replaceProfile, replaceProfile);
  serve(operations.updateProfile, updateProfile);
  serve(operations.deleteProfile, deleteProfile);
});
