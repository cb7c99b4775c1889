import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import {
  createWaitingEntry,
  declineOffer,
  deleteWaitingEntry,
  getWaitingEntry,
  listWaitingEntries,
} from './service.js';

export default resource((serve) => {
  serve(operations.listWaitingEntries, listWaitingEntries);
  serve(operations.createWaitingEntry, createWaitingEntry);
  serve(operations.getWaitingEntry, getWaitingEntry);
  serve(operations.deleteWaitingEntry, deleteWaitingEntry);
  serve(operations.declineOffer, declineOffer);
});
