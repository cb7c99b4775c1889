import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import { createReview, deleteReview, getReview, listReviews, updateReview } from './service.js';

export default resource((serve) => {
  serve(operations.listReviews, listReviews);
  serve(operations.createReview, createReview);
  serve(operations.getReview, getReview);
  serve(operations.replaceReview, updateReview);
  serve(operations.updateReview, updateReview);
  serve(operations.deleteReview, deleteReview);
});
