import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import { logIn, logOut, refreshToken, registerUser } from './service.js';
import { deleteOtherSessions, deleteSession, listSessions } from './sessions.js';
import { createPasswordReset, resetPassword } from './password-resets.js';
import { confirmTotp, createRecoveryCodes, createTotp, deleteUserTotp, getTotp, removeTotp } from './totps.js';
import { changePassword, getUser, listUsers, updateUser } from './accounts.js';

export default resource((serve) => {
  serve(operations.registerUser, registerUser);
  serve(operations.logIn, logIn);
  serve(operations.refreshToken, refreshToken);
  serve(operations.logOut, logOut);
  serve(operations.changePassword, changePassword);
  serve(operations.listSessions, listSessions);
  serve(operations.deleteOtherSessions, deleteOtherSessions);
  serve(operations.deleteSession, deleteSession);
  serve(operations.listUsers, listUsers);
  serve(operations.getUser, getUser);
  serve(operations.updateUser, updateUser);
  serve(operations.createPasswordReset, createPasswordReset);
  serve(operations.resetPassword, resetPassword);
  serve(operations.getTotp, getTotp);
  serve(operations.createTotp, createTotp);
  serve(operations.confirmTotp, confirmTotp);
  serve(operations.createRecoveryCodes, createRecoveryCodes);
  serve(operations.removeTotp, removeTotp);
  serve(operations.deleteUserTotp, deleteUserTotp);
});
